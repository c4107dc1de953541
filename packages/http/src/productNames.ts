/** The names that an app gives its products, in the types of the calls that take them. */

/** An id of Polar's, which is a UUID. */
export type PolarId = `${string}-${string}-${string}-${string}-${string}`

/** The names in `products`: none in a list of ids; any text where nothing is said, or is only known when it runs. */
export type NamesIn<Products> =
  Products extends ReadonlyArray<unknown> ? never : Products extends object ? Extract<keyof Products, string> : string

/**
 * What a call takes where the names are known: one of them, an id of Polar's, or text that is only known when it runs. A literal
 * that is neither is most likely misspelt, and does not compile.
 */
export type ProductGiven<Name extends string, Given extends string> = Given extends Name | PolarId
  ? Given
  : // Of text that is no literal, a branded id too, no property is required.
    Record<never, never> extends Record<Given, true>
    ? Given
    : Name | PolarId

/** A call about a user and a product. */
export type ProductCall<Name extends string, Rest extends ReadonlyArray<unknown>, Answer> = string extends Name
  ? (userId: string, product: string, ...rest: Rest) => Promise<Answer>
  : <Given extends string>(userId: string, product: ProductGiven<Name, Given>, ...rest: Rest) => Promise<Answer>

/** A call about a product alone. */
export type ProductLookup<Name extends string, Answer> = string extends Name
  ? (idOrKey: string) => Promise<Answer>
  : <Given extends string>(idOrKey: ProductGiven<Name, Given>) => Promise<Answer>

/** A call about a user, with options that may name products. */
export type ProductsOption<Name extends string, Options, Answer> = string extends Name
  ? (userId: string, options?: Options) => Promise<Answer>
  : <One extends string = never, Several extends string = never>(
      userId: string,
      options?: Omit<Options, "product" | "products"> & {
        readonly product?: ProductGiven<Name, One>
        readonly products?: ReadonlyArray<ProductGiven<Name, Several>>
      }
    ) => Promise<Answer>
