// Answers who called it, and what the services that it calls answered.
package main

import (
	"encoding/base64"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/auth/credentials/idtoken"
	"cloud.google.com/go/auth/httptransport"
)

type answer struct {
	Status int               `json:"status,omitempty"`
	Error  string            `json:"error,omitempty"`
	Caller string            `json:"caller"`
	Calls  map[string]answer `json:"calls"`
}

func call(target string) answer {
	credentials, err := idtoken.NewCredentials(&idtoken.Options{Audience: target})
	if err != nil {
		return answer{Error: err.Error()}
	}
	client, err := httptransport.NewClient(&httptransport.Options{Credentials: credentials})
	if err != nil {
		return answer{Error: err.Error()}
	}
	response, err := client.Get(target)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer response.Body.Close()
	var read answer
	_ = json.NewDecoder(response.Body).Decode(&read)
	read.Status = response.StatusCode
	return read
}

func callerOf(authorization string) string {
	parts := strings.Split(authorization, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Email string }
	_ = json.Unmarshal(payload, &claims)
	return claims.Email
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body := answer{Caller: callerOf(r.Header.Get("Authorization")), Calls: map[string]answer{}}
		for _, target := range strings.Fields(os.Getenv("CALLS")) {
			parsed, _ := url.Parse(target)
			body.Calls[parsed.Hostname()] = call(target)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
