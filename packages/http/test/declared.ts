/** What the description of the routes says of an answer, and whether a real one keeps to it. */
import { HttpApi } from "@effect/platform"
import { PolarApi } from "@kavach-polar/http/Api"
import { Option, Schema } from "effect"
import { expect } from "vitest"

/** `POST /auth/polar/checkout` and the like, to the schema of each status. */
export const declared = new Map<string, Map<number, Schema.Schema<unknown, unknown>>>()

HttpApi.reflect(PolarApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint, errors, successes }) => {
    const schemas = new Map<number, Schema.Schema<unknown, unknown>>()
    for (const [status, { ast }] of [...successes, ...errors]) {
      // A redirect has no body.
      schemas.set(status, Option.match(ast, { onNone: () => Schema.Unknown, onSome: (one) => Schema.make(one) }))
    }
    declared.set(`${endpoint.method} ${endpoint.path}`, schemas)
  }
})

/** Nothing of the inside: no SQL, no table, no stack, no address, no secret. */
const internal =
  /SELECT |INSERT |UPDATE |sqlite|kavach_|node_modules|\.ts\b|\bat \S+ \(|@acme-mail|polar_oat_|whsec_|\[object|undefined|Error:/i

/** Fails unless the answer is JSON, gives nothing away, and is as declared. Resolves with what the JSON says. */
export const expectAsDeclared = async (route: string, response: Response): Promise<unknown> => {
  expect(response).toBeInstanceOf(Response)
  expect(response.headers.get("content-type")).toMatch(/^application\/json/)
  const text = await response.text()
  expect(text).not.toMatch(internal)
  const body: unknown = JSON.parse(text)
  const schema = declared.get(route)?.get(response.status)
  if (schema === undefined) {
    // Only a wrong method: the description knows none.
    expect([route, response.status, body]).toEqual([route, 405, { error: "Method not allowed" }])
    expect(declared.has(route)).toBe(false)
    return body
  }
  expect(() => Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })(body)).not.toThrow()
  if (response.status >= 400) expect(body).toEqual({ error: expect.stringMatching(/\S/) })
  return body
}
