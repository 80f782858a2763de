// Signs up, logs in and keeps a todo by the client that OpenAPI Generator made. Prints what it saw, as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"todos"
)

func main() {
	ctx := context.Background()
	configuration := todos.NewConfiguration()
	configuration.Servers[0].URL = os.Args[1]
	client := todos.NewAPIClient(configuration)
	username, password := "mina", "정확한 말 배터리 🪴"

	account := todos.NewUserCreate(username, password)
	user, _, err := client.UsersAPI.SignUp(ctx).UserCreate(*account).Execute()
	check(err)
	_, _, again := client.UsersAPI.SignUp(ctx).UserCreate(*account).Execute()
	credentials := todos.NewSessionCreate(username, password)
	tokens, _, err := client.SessionsAPI.LogIn(ctx).SessionCreate(*credentials).Execute()
	check(err)
	ctx = context.WithValue(ctx, todos.ContextAccessToken, tokens.AccessToken)

	plants := todos.NewTodoCreate("Water the plants 🪴\ntwice")
	due := todos.NewDueInput("2026-11-30")
	due.SetTime("09:30")
	due.SetZone("Asia/Seoul")
	plants.SetDue(*due)
	plants.SetNotesNil()
	todo, _, err := client.TodosAPI.CreateTodo(ctx).TodoCreate(*plants).Execute()
	check(err)
	update := todos.NewTodoUpdate()
	update.SetIsDone(true)
	_, _, err = client.TodosAPI.UpdateTodo(ctx, todo.Id).TodoUpdate(*update).Execute()
	check(err)
	page, _, err := client.TodosAPI.ListTodos(ctx).Order("DESC").IsDone(true).Limit(1).Execute()
	check(err)
	_, _, blank := client.TodosAPI.CreateTodo(ctx).TodoCreate(*todos.NewTodoCreate(" ")).Execute()
	_, err = client.TodosAPI.DeleteTodo(ctx, todo.Id).Execute()
	check(err)
	_, _, gone := client.TodosAPI.GetTodo(ctx, todo.Id).Execute()

	done := []int64{}
	for _, each := range page.Todos {
		done = append(done, each.Id)
	}
	pointers := []string{}
	for _, each := range model(blank).(todos.ValidationProblem).Errors {
		pointers = append(pointers, each.GetPointer())
	}
	seen, err := json.Marshal(map[string]any{
		"username":    user.Username,
		"again":       model(again).(todos.Problem).Code,
		"id":          todo.Id,
		"contents":    todo.Contents,
		"due":         todo.Due.Get().At.Get().UTC().Format("2006-01-02T15:04:05-07:00"),
		"notes":       todo.Notes.Get(),
		"repeat":      todo.Repeat.Get(),
		"done":        done,
		"next_cursor": page.NextCursor.Get(),
		"blank":       pointers,
		"gone":        model(gone).(todos.Problem).Code,
	})
	check(err)
	fmt.Println(string(seen))
}

// model is the error's body, read into the schema that the document has for it.
func model(err error) any {
	var refused *todos.GenericOpenAPIError
	if !errors.As(err, &refused) {
		panic(fmt.Sprintf("not an error of the service: %v", err))
	}
	return refused.Model()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
