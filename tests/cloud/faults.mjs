// Faults of a DynamoDB, on request: what its documentation says that can happen, and what networks do.
//
// A fault is {kind, calls?, every?, times?, ms?}: `calls` are names of calls (all, if there are none), it
// happens at each `every`th of them (1), `times` times at most.
//
//     throttle     400 ProvisionedThroughputExceededException; of a transaction, TransactionCanceledException
//                  with ThrottlingError
//     requests     400 RequestLimitExceeded
//     internal     500 InternalServerError
//     unavailable  503, no JSON
//     conflict     TransactionConflictException, or TransactionCanceledException with TransactionConflict
//     unprocessed  a batch of which only the first item is done
//     delay        the answer comes after `ms`
//     silent       no answer at all
//     reset        the connection breaks before anything is done
//     reset-after  it is done, and the connection breaks in the place of the answer
//     truncate     it is done, and the connection breaks in the middle of the answer
//     garbage      it is done, and the answer is no JSON
const ERRORS = {
	throttle: [400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "ThrottlingError"],
	requests: [400, "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded", "ThrottlingError"],
	internal: [500, "com.amazon.coral.service#InternalServerError"],
	conflict: [400, "com.amazonaws.dynamodb.v20120810#TransactionConflictException", "TransactionConflict"],
};

let faults = [];

export function setFaults(list) {
	faults = list.map((fault) => ({ every: 1, times: Infinity, seen: 0, ...fault }));
}

/** The fault that this call has; null: none. */
export function faultFor(call) {
	for (const fault of faults) {
		if (fault.calls && !fault.calls.includes(call)) continue;
		if (++fault.seen % fault.every !== 0 || fault.times <= 0) continue;
		fault.times--;
		return fault;
	}
	return null;
}

function sendError(request, response, body, [status, type, reason]) {
	let data = { __type: type, message: `for a test: ${type}` };
	if (reason && /Transact(Write|Get)Items$/.test(request.headers["x-amz-target"])) {
		const count = JSON.parse(body).TransactItems.length;
		const reasons = Array.from({ length: count }, (_, i) => ({ Code: i === 0 ? reason : "None" }));
		data = {
			__type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
			Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.map((each) => each.Code).join(", ")}]`,
			CancellationReasons: reasons,
		};
	}
	const text = JSON.stringify(data);
	response.writeHead(status, { "content-type": "application/x-amz-json-1.0", "content-length": Buffer.byteLength(text) });
	response.end(text);
}

/** Does what a fault does before the call. True: the call is over. */
export function before(fault, request, response, body) {
	if (fault.kind in ERRORS) {
		sendError(request, response, body, ERRORS[fault.kind]);
		return true;
	}
	switch (fault.kind) {
		case "unavailable":
			response.writeHead(503, { "content-type": "text/html", "content-length": 4 });
			response.end("busy");
			return true;
		case "reset":
			request.socket.resetAndDestroy();
			return true;
		case "silent":
			return true;
		default:
			return false;
	}
}

const REST = { BatchGetItem: "UnprocessedKeys", BatchWriteItem: "UnprocessedItems" };

/** The request of a batch's first item, and what is left of it, as [body, name, rest]; null: it has no more. */
function split(request, body) {
	const name = REST[(request.headers["x-amz-target"] ?? "").split(".")[1]];
	const { RequestItems, ...more } = name ? JSON.parse(body) : {};
	const [[table, asked] = [], ...others] = Object.entries(RequestItems ?? {});
	const items = Array.isArray(asked) ? asked : asked?.Keys;
	if (!items || (items.length === 1 && !others.length)) return null;
	const having = (list) => (Array.isArray(asked) ? list : { ...asked, Keys: list });
	const rest = Object.fromEntries(others);
	if (items.length > 1) rest[table] = having(items.slice(1));
	return [JSON.stringify({ ...more, RequestItems: { [table]: having(items.slice(0, 1)) } }), name, rest];
}

/** What is done instead of the call, as [response, body]: the response does what the fault does after it. */
export function after(fault, request, response, body) {
	const end = response.end.bind(response);
	const { socket } = request;
	switch (fault.kind) {
		case "unprocessed": {
			const parts = split(request, body);
			if (!parts) break;
			const [first, name, rest] = parts;
			response.end = (text) => {
				const changed = JSON.stringify({ ...JSON.parse(text), [name]: rest });
				response.setHeader("content-length", Buffer.byteLength(changed));
				end(changed);
			};
			return [response, Buffer.from(first)];
		}
		case "delay":
			response.end = (text) => setTimeout(end, fault.ms, text);
			break;
		case "reset-after":
			response.end = () => socket.resetAndDestroy();
			break;
		case "truncate":
			response.end = (text) => {
				response.write(Buffer.from(text).subarray(0, Buffer.byteLength(text) / 2));
				setImmediate(() => socket.destroy());
			};
			break;
		case "garbage":
			response.end = (text) => end("x".repeat(Buffer.byteLength(text)));
			break;
	}
	return [response, body];
}
