/**
 * The host of an option that says where to listen: empty for every address of this machine, of IPv6 and of IPv4, where an address of one of them
 * cannot be reached in a cluster of the other. Commander makes an empty text of an undefined value, so this is not a parser of the option.
 */
export const listenHost = (flag: string | undefined): string | undefined => (flag === '' ? undefined : flag);
