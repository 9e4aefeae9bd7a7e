/** The value of a GCE_METADATA_* variable as clients want it: host and port, without scheme and path. */
export function hostAndPort(value: string): string {
  return value.replace(/^\w+:\/\//, '').replace(/\/.*$/, '')
}
