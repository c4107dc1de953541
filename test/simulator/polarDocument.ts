/**
 * Polar's own OpenAPI document as a judge: of what a client sends, of what the API answers, and of what webhooks carry.
 * The fixture is that document without its prose, made by `scripts/trim-openapi.mjs`; others hold what the first lacks of
 * refunds, of invoices, receipts and license keys, of benefits and discounts, and of organizations, made in the same way.
 */
import { readFileSync } from "node:fs"
import { Ajv2020 } from "ajv/dist/2020.js"
import { default as addFormats } from "ajv-formats"
import { previewPaths, previewSchemas, withUnits } from "./newerThanDocument.ts"

export interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required?: boolean
}

export interface Operation {
  readonly parameters?: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: object }
  readonly responses: Readonly<Record<string, { readonly content?: object }>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly webhooks: Readonly<Record<string, object>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

const fixture = <A>(path: string): A => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"))

const most = fixture<Document>("../fixtures/polar-openapi-2026-10.json")
const refunds = fixture<Omit<Document, "webhooks">>("./fixtures/polar-openapi-2026-10-refunds.json")
const documentsAndKeys = fixture<Omit<Document, "webhooks">>("./fixtures/polar-openapi-2026-10-documents-and-keys.json")
const benefitsAndDiscounts = fixture<Omit<Document, "webhooks">>(
  "./fixtures/polar-openapi-2026-10-benefits-and-discounts.json"
)

const organizations = fixture<Omit<Document, "webhooks">>("./fixtures/polar-openapi-2026-10-organizations.json")

// A repeating discount is one of the schema for those that do not repeat, too: the document says `oneOf` and means any.
const anyDiscount = (_: string, value: unknown): unknown => {
  const { oneOf, ...rest } = Object(value) as { readonly oneOf?: ReadonlyArray<{ readonly $ref?: string }> }
  return oneOf?.every(({ $ref }) => $ref?.includes("Discount")) ? { ...rest, anyOf: oneOf } : value
}

const written: Document = {
  ...most,
  paths: {
    ...most.paths,
    ...refunds.paths,
    ...documentsAndKeys.paths,
    ...benefitsAndDiscounts.paths,
    ...organizations.paths,
    ...previewPaths
  },
  components: {
    schemas: withUnits({
      ...most.components.schemas,
      ...previewSchemas,
      ...refunds.components.schemas,
      ...documentsAndKeys.components.schemas,
      ...benefitsAndDiscounts.components.schemas,
      ...organizations.components.schemas
    })
  }
}

const document: Document = JSON.parse(JSON.stringify(written), anyDiscount)

const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

const ajv = new Ajv2020({ strict: false, validateSchema: false, formats: { uuid4, ipvanyaddress: true, binary: true } })
addFormats(ajv)
// As Polar takes them: `{CHECKOUT_ID}` in an address is not RFC 3986, and what the documentation says to write.
ajv.addFormat("uri", (text: string) => URL.canParse(text))
ajv.addSchema(document, "polar")

// JSON Pointer, RFC 6901.
const pointer = (...path: ReadonlyArray<string>): string =>
  `polar#/${path.map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`

/** What is wrong with the value, one line each; none when the schema takes it. */
const judge = (value: unknown, ...path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const validate = ajv.getSchema(pointer(...path))
  if (validate === undefined) return [`the document has no ${path.join(" ")}`]
  return validate(value) === true
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${path[1]}${instancePath}: ${message}`)
}

export const webhookTypes: ReadonlyArray<string> = Object.keys(document.webhooks)

export const judgeWebhook = (type: string, body: unknown): ReadonlyArray<string> =>
  judge(body, "webhooks", type, "post", "requestBody", "content", "application/json", "schema")

/** The documented operation that a request is for. */
const operationOf = (method: string, pathname: string) => {
  const segments = pathname.split("/")
  const templates = Object.keys(document.paths).filter((template) => {
    const parts = template.split("/")
    return (
      parts.length === segments.length && parts.every((part, index) => part.startsWith("{") || part === segments[index])
    )
  })
  const fewest = Math.min(...templates.map((template) => template.split("{").length))
  const template = templates.find((template) => template.split("{").length === fewest) ?? ""
  return { template, operation: document.paths[template]?.[method.toLowerCase()] }
}

// A query and a path hold text only: what looks like a number or a flag is one.
const meant = (text: string): unknown =>
  /^-?\d+$/.test(text) ? Number(text) : text === "true" ? true : text === "false" ? false : text

const judgeParameter = (
  { name, required }: Parameter,
  texts: ReadonlyArray<string>,
  ...path: ReadonlyArray<string>
): ReadonlyArray<string> => {
  if (texts.length === 0) return required === true ? [`${name} is missing`] : []
  const values = texts.map(meant)
  const readings: ReadonlyArray<unknown> = [...(texts.length === 1 ? [texts[0], values[0]] : []), texts, values]
  return readings.some((reading) => judge(reading, ...path, "schema").length === 0)
    ? []
    : [`${name} is ${texts.join(", ")}`]
}

/** The names of fields that a body may have, whichever of the schema's variants it is of. */
const fieldsOf = (schema: object): ReadonlyArray<string> => {
  const {
    $ref,
    anyOf = [],
    oneOf = [],
    properties = {}
  } = schema as {
    readonly $ref?: string
    readonly anyOf?: ReadonlyArray<object>
    readonly oneOf?: ReadonlyArray<object>
    readonly properties?: object
  }
  const named = $ref === undefined ? [] : fieldsOf(document.components.schemas[$ref.split("/").at(-1) ?? ""] ?? {})
  return [...named, ...Object.keys(properties), ...[...anyOf, ...oneOf].flatMap(fieldsOf)]
}

interface JsonContent {
  readonly "application/json"?: { readonly schema?: object }
}

/** Fields that Polar would take no notice of. */
const ignoredFields = (body: unknown, { requestBody }: Operation): ReadonlyArray<string> => {
  const { schema = {} } = (requestBody?.content as JsonContent | undefined)?.["application/json"] ?? {}
  const known = fieldsOf(schema)
  return Object.keys(Object(body))
    .filter((name) => !known.includes(name))
    .map((name) => `field ${name} is not documented`)
}

export interface Exchange {
  readonly method: string
  readonly url: string
  readonly body: string
  readonly status: number
  readonly answer: string
}

/** What is wrong with a request: an unknown path, a wrong parameter, one that is not documented, a wrong body. */
export const judgeRequest = ({ body, method, url }: Exchange): ReadonlyArray<string> => {
  const { pathname, searchParams } = new URL(url)
  const { operation, template } = operationOf(method, pathname)
  if (operation === undefined) return [`${method} ${pathname} is not documented`]
  const parts = pathname.split("/")
  const known = operation.parameters ?? []
  const issues = known.flatMap((parameter, index) => {
    const path = ["paths", template, method.toLowerCase(), "parameters", `${index}`] as const
    const segment = parts[template.split("/").indexOf(`{${parameter.name}}`)] ?? ""
    if (parameter.in === "query") return judgeParameter(parameter, searchParams.getAll(parameter.name), ...path)
    return parameter.in === "path" ? judgeParameter(parameter, [decodeURIComponent(segment)], ...path) : []
  })
  const unknown = [...searchParams.keys()].filter(
    (name) => !name.startsWith("metadata[") && !known.some((parameter) => parameter.name === name)
  )
  const sent =
    operation.requestBody === undefined
      ? []
      : [
          ...ignoredFields(JSON.parse(body), operation),
          ...judge(
            JSON.parse(body),
            "paths",
            template,
            method.toLowerCase(),
            "requestBody",
            "content",
            "application/json",
            "schema"
          )
        ]
  return [...issues, ...unknown.map((name) => `query ${name} is not documented`), ...sent]
}

/** What is wrong with an answer: a status that is not documented, a body that is not as documented. */
export const judgeAnswer = ({ answer, method, status, url }: Exchange): ReadonlyArray<string> => {
  const { pathname } = new URL(url)
  const { operation, template } = operationOf(method, pathname)
  const documented = operation?.responses[status]
  if (documented === undefined) return [`${method} ${pathname} has no documented ${status}`]
  if (documented.content === undefined) return answer === "" ? [] : [`${method} ${pathname} should answer nothing`]
  return judge(
    JSON.parse(answer),
    "paths",
    template,
    method.toLowerCase(),
    "responses",
    String(status),
    "content",
    "application/json",
    "schema"
  )
}
