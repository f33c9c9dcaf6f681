"""Headrace's large bodies: Sum looks at the bytes and answers little, Back sends them all back."""

import headrace as hr


class Sum(hr.Model):
    """Sum the first thousand bytes."""

    def predict(self, body: bytes) -> dict[str, int]:
        """Answer the sum and the length."""
        return {"sum": sum(body[:1000]), "length": len(body)}


class Back(hr.Model):
    """Send back what came."""

    def predict(self, body: bytes) -> bytes:
        """Answer the body."""
        return body
