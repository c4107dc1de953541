export * from "@kavach-polar/http/fastify"
