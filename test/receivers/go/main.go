// Hands what it reads to the lines of the page, and says what they answer. A line is {token} or {url}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
)

type order struct {
	Token, URL string
}

func act(asked order) (map[string]any, error) {
	if asked.URL != "" {
		response, err := http.Get(asked.URL)
		if err != nil {
			return nil, err
		}
		response.Body.Close()
		return map[string]any{"status": response.StatusCode}, nil
	}
	claims, err := verify(context.Background(), asked.Token)
	return map[string]any{"accepted": claims}, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked order
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		said, err := act(asked)
		if err != nil {
			said = map[string]any{"refused": err.Error()}
		}
		json.NewEncoder(os.Stdout).Encode(said)
	}
}
