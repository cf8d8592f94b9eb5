"""Asks pickle_tool."""
import struct
import subprocess


def ask(tool, mode, inputs):
	"""For each pickle whether it failed, and what the tool made of it."""
	frames = b''.join(struct.pack('<I', len(data)) + data for data in inputs)
	output = subprocess.run([tool, mode, '--many'], input=frames, stdout=subprocess.PIPE, check=True).stdout
	at = 0
	answers = []
	while at < len(output):
		failed, length = struct.unpack_from('<BI', output, at)
		answers.append((failed, output[at + 5:at + 5 + length]))
		at += 5 + length
	assert len(answers) == len(inputs)
	return answers
