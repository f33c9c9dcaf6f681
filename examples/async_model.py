"""A model that mostly waits: with `async def`, one replica has many requests under way.

Here the waiting is for two sources that are asked at once, each with its own pace. When a client
hangs up, its task is cancelled where it waits.

    python examples/async_model.py
    curl --json '"Ada"' http://127.0.0.1:8000/predict
"""

import asyncio

import headrace as hr


@hr.deployment(max_ongoing_requests=100)
class Profile(hr.Model):
    """Puts together what two slow services know about a user."""

    async def predict(self, user: str) -> dict[str, object]:
        orders, rating = await asyncio.gather(self.orders(user), self.rating(user))
        return {"user": user, "orders": orders, "rating": rating}

    async def orders(self, user: str) -> int:
        await asyncio.sleep(0.2)  # a database
        return len(user)

    async def rating(self, user: str) -> float:
        await asyncio.sleep(0.3)  # another server
        return len(set(user)) / len(user)


if __name__ == "__main__":
    hr.run(Profile)
