"""Headrace's forest, in batches of up to 64."""

# mypy: disable-error-code="import-not-found, no-any-return"

from forest_model import MAX_BATCH, WINDOW_MS, Forest

import headrace as hr


@hr.deployment(max_batch_size=MAX_BATCH, batch_wait_s=WINDOW_MS / 1e3)
class Digits(hr.Model):
    """Tell handwritten digits apart."""

    def setup(self) -> None:
        """Grow the forest."""
        self.forest = Forest()

    def predict_batch(self, images: list[list[float]]) -> list[dict[str, float]]:
        """Tell each image's digit."""
        return self.forest.tell(images)
