// Checks signatures of requests (AWS Signature Version 4), as the service does: dynalite does not.
import { createHash, createHmac } from "node:crypto";

const SKEW_MS = 15 * 60 * 1000;
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The moment of 20130524T000000Z, in ms; NaN: it is none. */
function momentOf(text) {
	return Date.parse(text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}

/** In the order of names, not of pairs: "a=" is before "a-b=". */
const sorted = (query) =>
	query
		.split("&")
		.filter(Boolean)
		.map((pair) => pair.split(/=(.*)/s).slice(0, 2))
		.map(([name, value = ""]) => [Buffer.from(name), Buffer.from(value)])
		.sort((a, b) => Buffer.compare(a[0], b[0]) || Buffer.compare(a[1], b[1]))
		.map((pair) => pair.join("="))
		.join("&");

/**
 * What is wrong with a request's signature: [exception, message]; null: nothing.
 * @param {object} keys  by access key: {secret, token?, ended?}
 */
export function refusal(request, body, keys, { service, now = Date.now() }) {
	const authorization = request.headers.authorization;
	if (!authorization) return ["MissingAuthenticationTokenException", "Request is missing Authentication Token"];
	const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
		authorization,
	);
	if (!found) return ["IncompleteSignatureException", `no signature: ${authorization}`];
	const [, access, day, region, scope, signed, signature] = found;
	const date = request.headers["x-amz-date"] ?? "";
	const moment = momentOf(date);
	if (Number.isNaN(moment) || date.slice(0, 8) !== day)
		return ["IncompleteSignatureException", `Date must be in ISO-8601 'basic format'. Got '${date}'.`];
	if (moment < now - SKEW_MS)
		return ["InvalidSignatureException", `Signature expired: ${date} is now earlier than the time of the server - 15 min.`];
	if (moment > now + SKEW_MS)
		return ["InvalidSignatureException", `Signature not yet current: ${date} is still later than the time of the server + 15 min.`];
	if (scope !== service)
		return ["InvalidSignatureException", `Credential should be scoped to correct service: '${service}'.`];
	const names = signed.split(";");
	for (const name of Object.keys(request.headers))
		if ((name === "host" || name === "content-type" || name.startsWith("x-amz-")) && !names.includes(name))
			return ["InvalidSignatureException", `'${name}' must be a 'SignedHeader' in the AWS Authorization.`];
	const key = keys[access];
	if (!key || (key.token ?? "") !== (request.headers["x-amz-security-token"] ?? ""))
		return ["UnrecognizedClientException", "The security token included in the request is invalid."];
	if (key.ended) return ["ExpiredTokenException", "The security token included in the request is expired"];

	const [path, query = ""] = request.url.split(/\?(.*)/s);
	const canonical = [
		request.method,
		path,
		sorted(query),
		...names.map((name) => `${name}:${request.headers[name].trim().replace(/ +/g, " ")}`),
		"",
		signed,
		sha256(body),
	].join("\n");
	const text = ["AWS4-HMAC-SHA256", date, `${day}/${region}/${scope}/aws4_request`, sha256(canonical)].join("\n");
	const by = [day, region, scope, "aws4_request"].reduce(hmac, `AWS4${key.secret}`);
	if (hmac(by, text).toString("hex") === signature) return null;
	return [
		"InvalidSignatureException",
		"The request signature we calculated does not match the signature you provided. " +
			`Check your AWS Secret Access Key and signing method.\n${canonical}`,
	];
}
