"""Everything services share: messages, codec, bus (memory, Kafka), the service loop and the settings base."""

import os

# NumPy's OpenBLAS would start a thread for each core, and they wait for one another by spinning. Its matrices are small
# here, so that costs a busy machine more than it gains; who sets the variable has their way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
