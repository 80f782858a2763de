"""Keeps todos through the HTTP API. It uses only Python's standard library (3.9 or newer).

    python3 examples/python/todos.py http://localhost:3000 mina 'correct horse battery'

Signs up the user if the name is free, logs in, adds three todos, marks one as done, and lists the open ones.
"""

import json
import sys
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


class ApiError(Exception):
    """An error of the service (RFC 9457): `code` is for programs, `detail` for people."""

    def __init__(self, problem):
        super().__init__(problem["detail"])
        self.code = problem["code"]
        # Only with status 422: each invalid value.
        self.errors = problem.get("errors", [])


class Api:
    def __init__(self, base_url):
        self.base_url = base_url
        self.access_token = None

    def call(self, method, path, body=None):
        """Returns the answer's JSON, or None if there is no body. Raises ApiError."""
        headers = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.access_token:
            headers["Authorization"] = f"Bearer {self.access_token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.base_url + path, data, headers, method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                text = answer.read()
        except HTTPError as error:
            raise ApiError(json.load(error)) from None
        return json.loads(text) if text else None

    def log_in(self, username, password):
        body = {"username": username, "password": password}
        self.access_token = self.call("POST", "/users/log-in", body)["access_token"]

    def todos(self, **query):
        """Yields every todo that matches the query, page by page."""
        cursor = None
        while True:
            page = {**query, **({"cursor": cursor} if cursor else {})}
            answer = self.call("GET", f"/todos?{urlencode(page)}")
            yield from answer["todos"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return


def main(base_url, username, password):
    api = Api(base_url)
    try:
        api.call("POST", "/users/sign-up", {"username": username, "password": password})
    except ApiError as error:
        if error.code != "username_taken":
            raise
    api.log_in(username, password)

    milk = api.call("POST", "/todos", {"contents": "Buy milk"})
    api.call("POST", "/todos", {"contents": "Write to Jiho"})
    api.call("POST", "/todos", {"contents": "Water the plants"})
    api.call("PATCH", f"/todos/{milk['id']}", {"is_done": True})
    for todo in api.todos(is_done="false", limit=2):
        print(todo["contents"])

    try:
        api.call("POST", "/todos", {"contents": ""})
    except ApiError as error:
        print(error.code, error.errors)

    api.call("POST", "/users/log-out")


if __name__ == "__main__":
    main(*sys.argv[1:])
