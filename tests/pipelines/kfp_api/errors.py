"""Refusals as KFP's gateway writes them: an HTTP status, a gRPC code, and the sentence twice."""

GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 412: 9, 500: 13, 503: 14}


class Refused(Exception):  # noqa: N818 - the answer, not a failure of the server
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status

    def body(self) -> dict:
        code = GRPC.get(self.status, 2)
        message = str(self)
        details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": message}]
        return {"error": message, "code": code, "message": message, "details": details}
