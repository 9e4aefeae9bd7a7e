/** Settings that only the file can have: identities, and values of the metadata tree. */

import * as v from 'valibot'
import { email, listOf, objectOf, text, whole } from '../core/schemas.ts'

const key = v.pipe(v.string(), v.regex(/^[^/\0]+$/, 'must be a key without a slash'))
const scalar = v.union([v.string(), v.number(), v.bigint(), v.boolean()])
type Scalar = v.InferOutput<typeof scalar>
/** A value of the metadata tree. A bigint is a number beyond 2^53, as an instance id is. */
export type Value = Scalar | readonly Scalar[]
/** A user's values for the tree, by Google's own key names; null removes a key. */
export type Overlay = { readonly [key: string]: Value | null | Overlay | readonly Overlay[] }

const NOT_AN_OBJECT = 'must be an object of values'
/** valibot's `record` takes a list for an object, with the keys 0, 1 and so on. */
export const overlay: v.GenericSchema<Overlay> = v.lazy((input) =>
  Array.isArray(input) ? v.never(NOT_AN_OBJECT) : object,
)
const object = v.record(
  key,
  v.union(
    [scalar, v.null(), v.array(scalar), v.array(overlay), overlay],
    'must be a value, a list or an object of values; null removes a key',
  ),
  NOT_AN_OBJECT,
) as v.GenericSchema<Overlay>

/** One entry of `identities:`. */
export const identity = objectOf({
  serviceAccount: email,
  callers: v.optional(listOf(text), []),
  hosts: v.optional(listOf(text), []),
  port: v.optional(whole(0, 65535)),
  accounts: v.optional(listOf(email), []),
  delegates: v.optional(listOf(email), []),
})
