package commands

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// defaultPrices is the table that is used if no other is given. It explains the format.
//
//go:embed prices.toml
var defaultPrices string

// prices is the price list of a provider.
type prices struct {
	Name     string `toml:"name"`
	Currency string `toml:"currency"`
	// PerThousand is the price of 1000 requests by their name in the S3 API. "*"
	// stands for all other requests.
	PerThousand map[string]float64 `toml:"per_thousand"`
	PerGiB      struct {
		Received float64 `toml:"received"`
		Sent     float64 `toml:"sent"`
	} `toml:"per_gib"`
}

// readPrices reads a table. An empty path means the default table.
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

// parsePrices parses a table. It refuses unknown keys, because a misspelt key would
// make requests free.
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

// cost returns the price of the requests.
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

// money formats an amount with two digits after the point, or, below 1, with two
// significant digits.
func (p prices) money(amount float64) string {
	const least = 0.000001 // a millionth; a smaller amount is not worth its digits
	switch {
	case amount >= 1 || amount == 0:
		return fmt.Sprintf("%.2f %s", amount, p.Currency)
	case amount < least:
		return "under 0.000001 " + p.Currency
	}
	digits := 1 - int(math.Floor(math.Log10(amount)))
	return strconv.FormatFloat(amount, 'f', digits, 64) + " " + p.Currency
}
