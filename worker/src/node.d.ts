/* The flag nodejs_compat of wrangler.jsonc has the runtime bring it. */
declare module "node:zlib" {
	export function zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}
