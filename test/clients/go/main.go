// Usage: probe CLIENT ASKED
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"cloud.google.com/go/auth/credentials"
	authidtoken "cloud.google.com/go/auth/credentials/idtoken"
	"cloud.google.com/go/compute/metadata"
	"go.opentelemetry.io/contrib/detectors/gcp"
	"golang.org/x/oauth2/google"
	apiidtoken "google.golang.org/api/idtoken"
	"google.golang.org/api/option"
)

var asked struct {
	Audience        string   `json:"audience"`
	BareAudience    string   `json:"bareAudience"`
	RefusedAudience string   `json:"refusedAudience"`
	Scopes          []string `json:"scopes"`
	URL             string   `json:"url"`
}

var ctx = context.Background()

func main() {
	if err := json.Unmarshal([]byte(os.Args[2]), &asked); err != nil {
		panic(err)
	}
	clients := map[string]func(){
		"cloud.google.com/go/compute/metadata":      computeMetadata,
		"cloud.google.com/go/auth":                  auth,
		"google.golang.org/api":                     api,
		"golang.org/x/oauth2":                       oauth2,
		"go.opentelemetry.io/contrib/detectors/gcp": openTelemetry,
	}
	version(os.Args[1])
	clients[os.Args[1]]()
}

func step[T any](name string, get func() (T, error)) {
	value, err := get()
	if err != nil {
		write(map[string]any{"step": name, "error": err.Error()})
		return
	}
	write(map[string]any{"step": name, "value": value})
}

func write(line map[string]any) {
	// The step comes first in each line.
	name, _ := json.Marshal(line["step"])
	delete(line, "step")
	rest, _ := json.Marshal(line)
	fmt.Printf("{\"step\":%s,%s\n", name, rest[1:])
}

func version(module string) {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			write(map[string]any{"step": "version", "value": dependency.Version})
		}
	}
}

func refusal(_ string, err error) (string, error) {
	if err == nil {
		return "", errors.New("it was not refused")
	}
	return err.Error(), nil
}

func computeMetadata() {
	path := "instance/service-accounts/default/"
	identity := func(audience string) (string, error) {
		return metadata.GetWithContext(ctx, path+"identity?audience="+url.QueryEscape(audience))
	}
	token := func(query string) (string, error) {
		text, err := metadata.GetWithContext(ctx, path+"token"+query)
		if err != nil {
			return "", err
		}
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		return answer.AccessToken, json.Unmarshal([]byte(text), &answer)
	}
	step("detection", func() (bool, error) { return metadata.OnGCEWithContext(ctx), nil })
	step("project", func() (string, error) { return metadata.ProjectIDWithContext(ctx) })
	step("account", func() (string, error) { return metadata.EmailWithContext(ctx, "default") })
	step("accessToken", func() (string, error) { return token("") })
	step("scopes", func() (string, error) {
		return token("?scopes=" + url.QueryEscape(asked.Scopes[0]+","+asked.Scopes[1]))
	})
	step("idToken", func() (string, error) { return identity(asked.Audience) })
	step("bareIdToken", func() (string, error) { return identity(asked.BareAudience) })
	step("universe", func() (string, error) { return metadata.GetWithContext(ctx, "universe/universe-domain") })
	step("subscribed", subscribed)
	step("refused", func() (string, error) { return refusal(identity(asked.RefusedAudience)) })
}

// Nothing changes meanwhile, so the subscriber is called for the value that is there and waits from then on.
func subscribed() (bool, error) {
	until, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	calls := 0
	err := metadata.SubscribeWithContext(until, "instance/zone", func(_ context.Context, value string, ok bool) error {
		calls++
		return nil
	})
	if calls == 1 && until.Err() != nil {
		return true, nil
	}
	return false, fmt.Errorf("called %d times: %w", calls, err)
}

func auth() {
	detect := func(scopes []string) (string, error) {
		found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: scopes})
		if err != nil {
			return "", err
		}
		token, err := found.Token(ctx)
		if err != nil {
			return "", err
		}
		return token.Value, nil
	}
	identity := func(audience string) (string, error) {
		found, err := authidtoken.NewCredentials(&authidtoken.Options{Audience: audience})
		if err != nil {
			return "", err
		}
		token, err := found.Token(ctx)
		if err != nil {
			return "", err
		}
		return token.Value, nil
	}
	step("detection", func() (bool, error) { return credentials.OnGCE(), nil })
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: asked.Scopes})
	if err != nil {
		panic(err)
	}
	step("project", func() (string, error) { return found.ProjectID(ctx) })
	step("accessToken", func() (string, error) { return detect([]string{}) })
	step("scopes", func() (string, error) { return detect(asked.Scopes) })
	step("idToken", func() (string, error) { return identity(asked.Audience) })
	step("bareIdToken", func() (string, error) { return identity(asked.BareAudience) })
	step("universe", func() (string, error) { return found.UniverseDomain(ctx) })
	step("verified", func() (bool, error) {
		token, err := identity(asked.Audience)
		if err != nil {
			return false, err
		}
		validator, err := authidtoken.NewValidator(&authidtoken.ValidatorOptions{RS256CertsURL: asked.URL + "/oauth2/v3/certs"})
		if err != nil {
			return false, err
		}
		payload, err := validator.Validate(ctx, token, asked.Audience)
		return err == nil && payload.Audience == asked.Audience, err
	})
	step("refused", func() (string, error) { return refusal(identity(asked.RefusedAudience)) })
}

// Leads the validator, which knows Google's address only, to the server's keys.
type keysAt struct{ host string }

func (keys keysAt) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host, request.Host = "http", keys.host, keys.host
	return http.DefaultTransport.RoundTrip(request)
}

func api() {
	identity := func(audience string) (string, error) {
		source, err := apiidtoken.NewTokenSource(ctx, audience)
		if err != nil {
			return "", err
		}
		token, err := source.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
	step("idToken", func() (string, error) { return identity(asked.Audience) })
	step("bareIdToken", func() (string, error) { return identity(asked.BareAudience) })
	step("verified", func() (bool, error) {
		server, _ := url.Parse(asked.URL)
		token, err := identity(asked.Audience)
		if err != nil {
			return false, err
		}
		client := &http.Client{Transport: keysAt{server.Host}}
		validator, err := apiidtoken.NewValidator(ctx, option.WithHTTPClient(client))
		if err != nil {
			return false, err
		}
		payload, err := validator.Validate(ctx, token, asked.Audience)
		return err == nil && payload.Audience == asked.Audience, err
	})
	step("refused", func() (string, error) { return refusal(identity(asked.RefusedAudience)) })
}

func oauth2() {
	token := func(scopes ...string) (string, error) {
		found, err := google.FindDefaultCredentials(ctx, scopes...)
		if err != nil {
			return "", err
		}
		token, err := found.TokenSource.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
	step("project", func() (string, error) {
		found, err := google.FindDefaultCredentials(ctx)
		if err != nil {
			return "", err
		}
		return found.ProjectID, nil
	})
	step("accessToken", func() (string, error) { return token() })
	step("scopes", func() (string, error) { return token(asked.Scopes...) })
	step("universe", func() (string, error) {
		found, err := google.FindDefaultCredentials(ctx)
		if err != nil {
			return "", err
		}
		return found.GetUniverseDomain()
	})
}

func openTelemetry() {
	resource, err := gcp.NewDetector().Detect(ctx)
	values := map[string]string{}
	if resource != nil {
		for _, attribute := range resource.Attributes() {
			values[string(attribute.Key)] = attribute.Value.Emit()
		}
	}
	step("detection", func() (string, error) { return values["cloud.platform"], err })
	step("project", func() (string, error) { return values["cloud.account.id"], err })
}
