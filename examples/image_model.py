"""An image model that is loaded once per replica, tells how far it is, and is freed at the end.

The Model way of what fastapi_lifespan.py does. Needs scikit-learn and Pillow.

    python examples/image_model.py
    curl --data-binary @six.png -H 'Content-Type: image/png' http://127.0.0.1:8000/predict

While it loads, whoever asks gets a 503 that says how far it is, and when to come again.
"""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import headrace as hr

TREES, STEPS = 100, 4


class Digit(hr.Model):
    """Says which digit a picture shows; white ink on black."""

    def setup(self) -> None:
        """Load it: no request comes before this returns."""
        images, digits = load_digits(return_X_y=True)
        self.forest = RandomForestClassifier(random_state=0, n_jobs=1, warm_start=True)
        for step in range(1, STEPS + 1):
            self.forest.set_params(n_estimators=TREES * step // STEPS).fit(images, digits)
            self.loading(step, STEPS, "growing the forest")

    def predict(self, image: Image.Image) -> dict[str, float]:
        """Answer with the digit and how sure that is."""
        pixels = np.asarray(image.convert("L").resize((8, 8)), dtype=float).reshape(1, -1) / 16
        chances = self.forest.predict_proba(pixels)[0]
        return {"digit": int(chances.argmax()), "chance": round(float(chances.max()), 3)}

    def teardown(self) -> None:
        """Free it: at a stop, at a reload, and after a setup that failed."""
        del self.forest
        print("the model is released", flush=True)


if __name__ == "__main__":
    hr.run(Digit)
