/** Which routes are off, as an option: each that an app can do without, by its name. */
import * as Options from "@kavach-polar/core/Options"
import * as Schema from "effect/Schema"
import { type RouteOption, type RoutesOption, routeOptions } from "./routeTable.ts"

const isOn = Options.optional(Options.boolean)

export const routesOption: Schema.Schema<RoutesOption> = Options.group(
  Schema.Struct(Object.fromEntries(routeOptions.map((name) => [name, isOn])) as Record<RouteOption, typeof isOn>)
)
