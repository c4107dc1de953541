/** The browser's side of kavach-polar. It needs nothing but `fetch`, and works wherever there is one. */
export * from "./answers.ts"
export * from "./client.ts"
export * from "./PolarClientError.ts"
export * from "./requests.ts"
