/** Metrics in Prometheus' text format. Label values come from bounded sets only (CVE-2020-8552). */
export { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
