"""Signs up, logs in and keeps a todo by the client that openapi-python-client made. Prints what it saw, as JSON."""

import json
import sys
from datetime import date, datetime, timezone

from todos_client import AuthenticatedClient, Client
from todos_client.api.sessions import log_in
from todos_client.api.todos import create_todo, delete_todo, get_todo, list_todos, update_todo
from todos_client.api.users import sign_up
from todos_client.models import (
    CreatedUser,
    Due,
    DueInput,
    ListTodosOrder,
    Problem,
    SessionCreate,
    Todo,
    TodoCreate,
    TodoPage,
    TodoUpdate,
    Tokens,
    UserCreate,
    ValidationProblem,
)

[base_url] = sys.argv[1:]
username, password = "mina", "정확한 말 배터리 🪴"

client = Client(base_url=base_url, raise_on_unexpected_status=True)
user = sign_up.sync(client=client, body=UserCreate(username=username, password=password))
assert isinstance(user, CreatedUser), user
again = sign_up.sync(client=client, body=UserCreate(username=username, password=password))
assert isinstance(again, Problem), again
tokens = log_in.sync(client=client, body=SessionCreate(username=username, password=password))
assert isinstance(tokens, Tokens), tokens

client = AuthenticatedClient(
    base_url=base_url, token=tokens.access_token, raise_on_unexpected_status=True
)
due = DueInput(date=date(2026, 11, 30), time="09:30", zone="Asia/Seoul")
body = TodoCreate(contents="Water the plants 🪴\ntwice", due=due, notes=None)
todo = create_todo.sync(client=client, body=body)
assert isinstance(todo, Todo), todo
assert isinstance(todo.due, Due) and isinstance(todo.due.at, datetime), todo.due
done = update_todo.sync(todo.id, client=client, body=TodoUpdate(is_done=True))
assert isinstance(done, Todo), done
page = list_todos.sync(client=client, order=ListTodosOrder.DESC, is_done=True, limit=1)
assert isinstance(page, TodoPage), page
blank = create_todo.sync(client=client, body=TodoCreate(contents=" "))
assert isinstance(blank, ValidationProblem), blank
assert delete_todo.sync_detailed(todo.id, client=client).status_code == 204
gone = get_todo.sync(todo.id, client=client)
assert isinstance(gone, Problem), gone

print(
    json.dumps(
        {
            "username": user.username,
            "again": again.code,
            "id": todo.id,
            "contents": todo.contents,
            "due": todo.due.at.astimezone(timezone.utc).isoformat(),
            "notes": todo.notes,
            "repeat": todo.repeat,
            "done": [each.id for each in page.todos],
            "next_cursor": page.next_cursor,
            "blank": [error.pointer for error in blank.errors],
            "gone": gone.code,
        }
    )
)
