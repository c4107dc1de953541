export * from "@kavach-polar/http/node"
