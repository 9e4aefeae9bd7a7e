// Eight steps of a test suite with a sidemint in SIDEMINT_SERVER; prints what each step saw.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	billing = "https://billing.example"
	ledger  = "https://ledger.example"
)

// A client that keeps connections asks once more by itself where a kept one ends without an answer.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

type object = map[string]any

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func call(method, path string, body any, name, value string) (int, string, error) {
	var sent io.Reader
	if body != nil {
		sent = strings.NewReader(string(must(json.Marshal(body))))
	}
	request := must(http.NewRequest(method, os.Getenv("SIDEMINT_SERVER")+path, sent))
	request.Header.Set(name, value)
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	return answer.StatusCode, string(must(io.ReadAll(answer.Body))), nil
}

func parse[T any](text string) T {
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

func order[T any](method, path string, body any) T {
	secret := "Bearer " + os.Getenv("SIDEMINT_CONTROL_SECRET")
	status, text, err := call(method, "/_sidemint/"+path, body, "Authorization", secret)
	if err != nil || status != 200 {
		panic(fmt.Sprint(status, text, err))
	}
	return parse[T](text)
}

func ask(audience string) (int, string, error) {
	path := "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience="
	return call("GET", path+url.QueryEscape(audience), nil, "Metadata-Flavor", "Google")
}

func status(audience string) string {
	status, _, err := ask(audience)
	if err != nil {
		return "no answer"
	}
	return fmt.Sprint(status)
}

func failed(audience string) string {
	began := time.Now()
	status, text, err := ask(audience)
	if err != nil {
		panic(err)
	}
	late := "at once"
	if time.Since(began) >= 300*time.Millisecond {
		late = "late"
	}
	return fmt.Sprint(status, " ", parse[object](text)["error"], " ", late)
}

func part(token string, index int) object {
	return parse[object](string(must(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[index]))))
}

type asked struct {
	Audience, Result string
	Status           int
}

func requests() []string {
	var out []string
	for _, one := range order[struct{ Requests []asked }]("GET", "requests", nil).Requests {
		out = append(out, fmt.Sprint(one.Audience, " ", one.Result, " ", one.Status))
	}
	return out
}

func main() {
	order[object]("POST", "control/reset", nil)

	issued := order[struct{ Token string }]("POST", "control/issue", object{
		"audience": billing, "claims": object{"email": "eve@evil.example"}, "expiresInSeconds": -600,
	})
	got := part(issued.Token, 1)
	minutes := math.Round((got["exp"].(float64) - float64(time.Now().Unix())) / 60)
	fmt.Println("1 issue for an audience:", got["aud"], got["email"], minutes)

	issued = order[struct{ Token string }]("POST", "control/issue", object{"user": "ann@acme.example"})
	got = part(issued.Token, 1)
	fmt.Println("2 issue for a user:", got["email"], got["hd"])

	code, token, err := ask(billing)
	if err != nil {
		panic(err)
	}
	fmt.Println("3 ask:", code, part(token, 1)["aud"], part(token, 1)["email"])

	order[object]("POST", "control/fail-next", object{"status": 503, "times": 2, "audience": "https://billing*", "delayMs": 300})
	seen := []string{failed(billing), status(ledger), failed(billing), status(billing)}
	order[object]("POST", "control/fail-next", object{"drop": true})
	fmt.Println("4 fail next:", strings.Join(append(seen, status(billing)), ", "))

	order[object]("POST", "control/fail-next", object{"times": 3})
	emptied := order[struct{ Emptied map[string]int }]("POST", "control/reset", nil).Emptied
	var counts []string
	for _, name := range []string{"requests", "calls", "grants", "failures", "tokens"} {
		counts = append(counts, fmt.Sprint(name, " ", emptied[name]))
	}
	fmt.Println("5 reset:", strings.Join(counts, ", ")+", then", status(billing))

	status(billing)
	fmt.Println("6 requests:", strings.Join(requests(), ", "))

	order[object]("DELETE", "requests", nil)
	fmt.Println("7 delete requests:", len(requests()))

	kid := order[struct{ Kid string }]("POST", "control/rotate", nil).Kid
	_, certs, err := call("GET", "/oauth2/v3/certs", nil, "Accept", "application/json")
	if err != nil {
		panic(err)
	}
	var kids []string
	for _, key := range parse[struct{ Keys []struct{ Kid string } }](certs).Keys {
		kids = append(kids, key.Kid)
	}
	old := part(token, 0)["kid"].(string)
	_, token, err = ask(billing)
	if err != nil {
		panic(err)
	}
	both, signs := "not published", "does not sign"
	if slices.Contains(kids, old) && slices.Contains(kids, kid) {
		both = "published"
	}
	if kid != old && part(token, 0)["kid"] == kid {
		signs = "signs"
	}
	fmt.Printf("8 rotate: both keys are %s, the new one %s\n", both, signs)
}
