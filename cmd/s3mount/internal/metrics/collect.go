package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/fs/metering"
)

const (
	// coarse is the number of buckets of metering.Latency in one bucket of a histogram,
	// two octaves. Each bucket is a series of its own for every operation.
	coarse = 8
	// coarseBuckets is the number of buckets. They cover 1 µs to 69 s, which is beyond the
	// default deadline.
	coarseBuckets = 14
)

// collector converts a Status to metrics.
type collector struct {
	status func() control.Status
	table  []family
	descs  []*prometheus.Desc
}

// newRegistry returns a registry of all metrics.
func newRegistry(status func() control.Status) (*prometheus.Registry, error) {
	c := &collector{status: status, table: families()}
	for _, f := range c.table {
		c.descs = append(c.descs, f.desc())
	}
	r := prometheus.NewRegistry()
	for _, one := range []prometheus.Collector{c, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := r.Register(one); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, nil
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	for i, f := range c.table {
		for _, v := range f.read(s) {
			out <- f.metric(c.descs[i], v)
		}
	}
}

// metric returns one metric. A mistake in the table makes the scrape fail.
func (f family) metric(d *prometheus.Desc, v sample) prometheus.Metric {
	var m prometheus.Metric
	var err error
	switch f.kind {
	case histogram:
		m, err = prometheus.NewConstHistogram(d, v.latency.Count, v.latency.Seconds, cumulative(v.latency), v.labels...)
	case counter:
		m, err = prometheus.NewConstMetric(d, prometheus.CounterValue, v.value, v.labels...)
	default:
		m, err = prometheus.NewConstMetric(d, prometheus.GaugeValue, v.value, v.labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

// cumulative returns the number of events below each bound, as Prometheus requires.
func cumulative(l metering.Latency) map[float64]uint64 {
	buckets := make(map[float64]uint64, coarseBuckets)
	for k := range coarseBuckets {
		n := uint64(0)
		for i, c := range l.Buckets {
			if i <= k*coarse {
				n += c
			}
		}
		buckets[metering.BucketBound(k*coarse).Seconds()] = n
	}
	return buckets
}
