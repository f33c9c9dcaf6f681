"""Headrace's echo in batches of up to 32, no waiting window."""

import headrace as hr


@hr.deployment(max_batch_size=32)
class Echo(hr.Model):
    """Square many numbers."""

    def predict_batch(self, inputs: list[dict[str, float]]) -> list[dict[str, float]]:
        """Answer the squares in the order of the inputs."""
        return [{"output": each["input"] ** 2} for each in inputs]
