package orders

import (
	"testing"

	"cloud.google.com/go/auth/credentials/idtoken"
)

func TestARefusedTokenIsAnError(t *testing.T) {
	const audience = "https://ledger.example"
	var none struct{}
	sidemint(t, "POST", "control/fail-next", map[string]any{"status": 403, "audience": audience}, &none)
	credentials, err := idtoken.NewCredentials(&idtoken.Options{Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := credentials.Token(t.Context()); err == nil {
		t.Fatalf("got a token that expires %s", token.Expiry)
	}
	var issued struct{ Token string }
	sidemint(t, "POST", "control/issue", map[string]any{"audience": audience, "expiresInSeconds": -600}, &issued)
	if issued.Token == "" {
		t.Fatal("no token")
	}
}
