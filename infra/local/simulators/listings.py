"""The lists a vendor gives away: its models, its version."""

from infra.local.simulators.replies import Call, Reply, json_reply

CREATED = 1767225600
VERSION = "0.13.0"


def models(call: Call) -> Reply:
    vendor = call.vendor
    if vendor.bare_model_list:
        about = {"type": "chat", "context_length": 131072, "pricing": {"input": 0.6, "output": 0.6}}
        rows = [
            {
                "id": name,
                "object": "model",
                "created": CREATED,
                "display_name": name.partition("/")[2],
                **about,
            }
            for name in vendor.all_models
        ]
        return json_reply(rows)
    rows = [{"id": name, "object": "model", "created": CREATED, "owned_by": vendor.name} for name in vendor.all_models]
    return json_reply({"object": "list", "data": rows})


def tags(call: Call) -> Reply:
    about = {"modified_at": "2026-01-01T00:00:00Z", "size": 2019393189, "digest": "0" * 64}
    rows = [{"name": name, "model": name, **about, "details": {"format": "gguf"}} for name in call.vendor.all_models]
    return json_reply({"models": rows})


def version(_call: Call) -> Reply:
    return json_reply({"version": VERSION})
