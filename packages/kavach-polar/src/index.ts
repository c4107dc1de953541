/**
 * Billing with Polar for apps that call `polar()`: one package, without Effect and without adapters beside it.
 *
 * What is published is the bundle that @kavach-polar/http makes of this module, with types of its own; see build.mjs.
 */
export * from "@kavach-polar/http/standalone"
