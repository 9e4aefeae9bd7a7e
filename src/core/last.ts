/** The newest items of many, oldest first. */

export interface Last<T> {
  add(item: T): void
  all(): T[]
}

/** Keeps the last `most` items. */
export function createLast<T>(most: number): Last<T> {
  const items: T[] = []
  return {
    add(item) {
      items.push(item)
      // Only once there are twice as many: moving them all for every new item would cost more than the item.
      if (items.length >= 2 * most) items.splice(0, most)
    },
    all: () => items.slice(-most),
  }
}
