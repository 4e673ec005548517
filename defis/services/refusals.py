class Refused(Exception):  # noqa: N818 - a refusal is an answer, as in PermissionDenied
    """A service says no: `code` for programs, `message` for the person who asked."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = str(message)
