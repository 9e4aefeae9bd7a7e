/** Every event from now on, in order: what a test reads afterwards. */

import type { Events, SidemintEvent } from '../src/core/events.ts'

export function recordEvents(events: Events): readonly SidemintEvent[] {
  const seen: SidemintEvent[] = []
  events.subscribe((event) => seen.push(event))
  return seen
}
