import test from 'ava'
import { fuzz } from './fuzz.ts'

test('fifty odd exchanges with clients and with Google leave a server that mints', (t) => fuzz(t, 1, 50))
