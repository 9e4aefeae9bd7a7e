/** The value of a GCE_METADATA_* variable as clients need it: host and port, without scheme and path (docs/wire.md, "Variables"). */
export function hostAndPort(value: string): string {
  return value.replace(/^\w+:\/\//, '').replace(/\/.*$/, '')
}
