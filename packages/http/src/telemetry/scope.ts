/** What spans and metrics are of, as OpenTelemetry calls it: the instrumentation scope. */
export const scopeName = "kavach-polar"

export const scopeVersion = "0.1.0"
