"""The Store on one DynamoDB table: keys `pk` and `sk`, TTL on `exp`. Every write is durable when it returns."""

from collections.abc import Sequence
from typing import Any

from core.backends.aws.calls import Calls, Refused
from core.backends.aws.expressions import Expression
from core.backends.aws.values import Typed, decode_item, encode_item
from core.backends.ports import ALWAYS, Change, ConditionFailed, Item, When
from core.clock import Clock
from core.errors import StoreUnavailable

_CONDITION = "ConditionalCheckFailedException"
_LARGEST = "DynamoDB keeps items of at most 400 KB"
_TRIES = 3  # an item that is over can be renewed by somebody else in between, but hardly twice
_OVER = When(exists=False)


class DynamoStore:
    """Reads are consistent, so everybody reads their own writes."""

    def __init__(self, table: str, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._calls = Calls("dynamodb", f"DynamoDB table {table}")

    async def open(self) -> "DynamoStore":
        await self._calls.open()
        return self

    async def append(self, item: Item) -> None:
        await self.put(item)

    async def get(self, pk: str, sk: str) -> Item | None:
        answer = await self._calls.run(
            lambda client: client.get_item(TableName=self._table, Key=_key(pk, sk), ConsistentRead=True)
        )
        return self._alive(answer.get("Item"))

    async def put(self, item: Item, when: When = ALWAYS) -> None:
        expression = self._expression()
        await self._write(
            "put_item", Item=encode_item(item), **expression.arguments(ConditionExpression=expression.when(when))
        )

    async def update(self, pk: str, sk: str, change: Change, when: When = ALWAYS) -> Item:
        for _ in range(_TRIES):
            try:
                return await self._change(pk, sk, change, when)
            except _Over as found:
                # An update would keep attributes of what is over; so it is replaced, unless somebody else did.
                if not when.holds(None):
                    raise ConditionFailed(None) from found
            new = {"pk": pk, "sk": sk, **change.set}
            new |= {name: new.get(name, 0) + amount for name, amount in change.add.items()}
            try:
                await self.put(new, _OVER)
            except ConditionFailed:
                continue  # it is there again: change that
            return new
        raise StoreUnavailable(f"DynamoDB table {self._table}: {sk} expires faster than it can be changed")

    async def delete(self, pk: str, sk: str, when: When = ALWAYS) -> None:
        expression = self._expression()
        await self._write(
            "delete_item", Key=_key(pk, sk), **expression.arguments(ConditionExpression=expression.when(when))
        )

    async def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        limit: int = 100,
        newest_first: bool = False,
        after: str | None = None,
    ) -> Sequence[Item]:
        asked: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ScanIndexForward": not newest_first,
        }
        if prefix:
            asked["KeyConditionExpression"] += " AND begins_with(sk, :prefix)"
            asked["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        if after is not None and after.startswith(prefix):
            asked["ExclusiveStartKey"] = _key(pk, after)
        elif after is not None and (after > prefix) != newest_first:
            return []  # it lies behind all that start with the prefix; DynamoDB would refuse to start there
        found: list[Item] = []
        while len(found) < limit:
            page = await self._page(asked, limit - len(found))
            found += [item for one in page["Items"] if (item := self._alive(one)) is not None]
            if "LastEvaluatedKey" not in page:
                break
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found

    async def flush(self) -> None:
        """Nothing waits here: every write is durable when it returns."""
        self._calls.check()

    async def close(self) -> None:
        await self._calls.close()

    async def _change(self, pk: str, sk: str, change: Change, when: When) -> Item:
        expression = self._expression()
        arguments = expression.arguments(
            UpdateExpression=expression.change(change), ConditionExpression=expression.when(when, alive=True)
        )
        answer = await self._write("update_item", Key=_key(pk, sk), ReturnValues="ALL_NEW", **arguments)
        return {"pk": pk, "sk": sk, **decode_item(answer.get("Attributes", {}))}

    async def _page(self, asked: dict[str, Any], limit: int) -> dict[str, Any]:
        page: dict[str, Any] = await self._calls.run(
            lambda client: client.query(TableName=self._table, ConsistentRead=True, Limit=limit, **asked)
        )
        return page

    async def _write(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """A write with a condition is not repeated after a lost answer: it might refuse what it did itself."""
        conditional = "ConditionExpression" in arguments
        if conditional:
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            answer: dict[str, Any] = await self._calls.run(
                lambda client: getattr(client, operation)(TableName=self._table, **arguments),
                expects={_CONDITION, "ValidationException"},
                once=conditional,
            )
        except Refused as refusal:
            if str(refusal) != _CONDITION:
                raise StoreUnavailable(self._invalid(refusal.response["Error"].get("Message", ""))) from refusal
            old = refusal.response.get("Item")
            item = self._alive(old)
            if old and item is None and operation == "update_item":
                raise _Over(None) from refusal
            raise ConditionFailed(item) from refusal
        return answer

    def _invalid(self, words: str) -> str:
        words = f"the item is too large; {_LARGEST}" if "size" in words else words
        return f"DynamoDB table {self._table} refuses a write: {words}"

    def _alive(self, typed: dict[str, Typed] | None) -> Item | None:
        """DynamoDB sweeps what is over within days; until then it is not to be seen."""
        if not typed:
            return None
        item = decode_item(typed)
        exp = item.get("exp")
        return None if exp is not None and exp <= self._clock.now() else item

    def _expression(self) -> Expression:
        return Expression(int(self._clock.now()))


class _Over(ConditionFailed):
    """What is stored has expired and was not swept yet."""


def _key(pk: str, sk: str) -> dict[str, Typed]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
