export * from "@kavach-polar/http/gates"
