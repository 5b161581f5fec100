"""What a request is refused with."""


class Refusal(Exception):
    def __init__(self, status, *errors):
        super().__init__(status, *errors)
        self.status = status
        self.errors = list(errors)
