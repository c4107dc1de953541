/** The organization that the access token is of, to read. */
import * as Either from "effect/Either"
import type { Organization } from "../Records.ts"
import { notFound } from "../Refusal.ts"
import * as Wire from "../Wire.ts"
import { pathId } from "./Input.ts"
import * as Page from "./Page.ts"
import { ok, type Route, routesOf } from "./Route.ts"

const organizations = routesOf("organizations")

export const routes: ReadonlyArray<Route> = [
  organizations.get("/v1/organizations/", ({ world }, { query }) => {
    const asked = Page.filters<Organization>(query, { slug: ({ slug }) => slug })
    return Page.page({
      query,
      rows: [world.organization].filter(asked),
      sorts: {
        created_at: ({ created_at }) => created_at,
        name: ({ name }) => name,
        slug: ({ slug }) => slug
      },
      sorting: "created_at",
      render: () => Wire.organization(world)
    })
  }),

  organizations.get("/v1/organizations/{id}", ({ world }, { params }) =>
    Either.flatMap(pathId(params), (id) =>
      id === world.organization.id ? Either.right(ok(Wire.organization(world))) : Either.left(notFound)
    )
  )
]
