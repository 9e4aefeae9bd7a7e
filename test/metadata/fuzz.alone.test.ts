import test from 'ava'
import { fuzz } from './fuzz.ts'

test('200 odd exchanges with clients and with Google leave a server that mints', (t) => fuzz(t, 1, 200))
