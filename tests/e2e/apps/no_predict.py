"""A model that forgot to predict."""

import headrace as hr


class Forgetful(hr.Model):
    def setup(self) -> None:
        pass
