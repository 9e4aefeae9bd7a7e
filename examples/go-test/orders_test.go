// The code under test asks as it does on Cloud Run. Run with: sidemint exec -- go test ./...
package orders

import (
	"strings"
	"testing"

	"cloud.google.com/go/auth/credentials/idtoken"
)

func TestOrdersGetsAnIDTokenForBilling(t *testing.T) {
	credentials, err := idtoken.NewCredentials(&idtoken.Options{Audience: "https://billing.example"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := credentials.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if parts := strings.Split(token.Value, "."); len(parts) != 3 {
		t.Fatalf("no JWT: %d parts", len(parts))
	}
}
