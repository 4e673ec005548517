class Refused(Exception):
    """A service says no: `code` for programs, `message` for the person who asked."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = str(message)
