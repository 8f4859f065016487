package commands

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// defaultPrices is the table where no other is given; it explains the format.
//
//go:embed prices.toml
var defaultPrices string

// prices are what a provider charges.
type prices struct {
	Name     string `toml:"name"`
	Currency string `toml:"currency"`
	// PerThousand is the price of 1000 requests by the API's name; "*" is every
	// other one.
	PerThousand map[string]float64 `toml:"per_thousand"`
	PerGiB      struct {
		Received float64 `toml:"received"`
		Sent     float64 `toml:"sent"`
	} `toml:"per_gib"`
}

// readPrices reads a table; "" is the default one.
func readPrices(path string) (prices, error) {
	text := defaultPrices
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return prices{}, exit.Errorf(exit.Usage, "--prices: %w", err)
		}
		text = string(b)
	}
	p, err := parsePrices(text)
	if err != nil {
		return p, exit.Errorf(exit.Usage, "--prices %s: %w", path, err)
	}
	return p, nil
}

// parsePrices wants every key to be known, so that a misspelt one is no gift.
func parsePrices(text string) (prices, error) {
	var p prices
	d := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
			return p, fmt.Errorf("unknown key %s", strings.Join(unknown.Errors[0].Key(), "."))
		}
		return p, fmt.Errorf("read the table: %w", err)
	}
	if p.Currency == "" || len(p.PerThousand) == 0 {
		return p, errors.New("the table needs currency and [per_thousand]")
	}
	for name, price := range p.PerThousand {
		if price < 0 {
			return p, fmt.Errorf("the price of %s is negative", name)
		}
	}
	if p.PerGiB.Received < 0 || p.PerGiB.Sent < 0 {
		return p, errors.New("a price in [per_gib] is negative")
	}
	return p, nil
}

// cost is what the requests cost.
func (p prices) cost(calls map[string]control.Calls) float64 {
	const gib = 1 << 30
	sum := 0.0
	for name, c := range calls {
		price, ok := p.PerThousand[name]
		if !ok {
			price = p.PerThousand["*"]
		}
		sum += price*float64(c.Count)/1000 + p.PerGiB.Received*float64(c.Received)/gib + p.PerGiB.Sent*float64(c.Sent)/gib
	}
	return sum
}

// money writes an amount for people: cents, or what is left of them.
func (p prices) money(amount float64) string {
	if amount >= 1 || amount == 0 {
		return fmt.Sprintf("%.2f %s", amount, p.Currency)
	}
	return fmt.Sprintf("%.2g %s", amount, p.Currency)
}
