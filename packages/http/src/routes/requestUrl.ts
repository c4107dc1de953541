/** The address of a request. Hosts give it whole or from its path on. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"

export const urlOf = ({ url }: HttpServerRequest.HttpServerRequest): URL => new URL(url, "http://this.invalid")

export const queryOf = (request: HttpServerRequest.HttpServerRequest): URLSearchParams => urlOf(request).searchParams
