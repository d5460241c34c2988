"""How good a provider has been, in one number. Pure."""

# Seed formula: success 0.4, speed 0.3, and a bonus each for health and for having been used lately.
HEALTH_BONUSES = {"healthy": 0.3, "unknown": 0.15, "degraded": 0.15, "unhealthy": 0.0}
RECENT_SECONDS = 300
_SLOWEST_MS = 5000
_RECENT_BONUS = 0.1


def classic(*, requests: int, successes: int, average_ms: float, health: str, recent: bool) -> float:
    success_rate = successes / max(requests, 1)
    speed = max(0.0, 1 - average_ms / _SLOWEST_MS)
    return success_rate * 0.4 + speed * 0.3 + HEALTH_BONUSES[health] + (_RECENT_BONUS if recent else 0.0)
