"""Puts the literals of Xtensa functions where their loads reach them.

`l32r` loads a constant from up to 256 KiB before it, at a multiple of four. LLVM 22 leaves the
constants of a function at the end of whatever section came before, at any address
(llvm/llvm-project#190204, mended after 22.1.8). Here each section that has such loads gets a pool of its
constants at its own beginning.
"""
import struct

MACHINE_XTENSA = 94
SYMBOL_TABLE, RELOCATIONS, NO_BITS, GROUP = 2, 4, 8, 17
EXECUTABLE = 4
SECTION_SYMBOL = 3
# Types of relocations: an address in data, and an operand of an instruction.
ADDRESS, OPERAND = 1, 20
# Members of a section header.
NAME, TYPE, FLAGS, OFFSET, SIZE, INFO, ALIGN = 0, 1, 2, 4, 5, 7, 8

HEADER = '<16sHHIIIIIHHHHHH'


def mend(data):
    """An object file with the constants moved; anything else as it is."""
    if data[:4] != b'\x7fELF' or struct.unpack_from('<H', data, 18)[0] != MACHINE_XTENSA:
        return data
    file = Object(data)
    if file.symbols is None:
        return data
    file.drop_bitcode()
    pools = file.take_literals()
    if pools:
        file.cut_moved(pools)
        file.insert(pools)
    return file.bytes()


class Pool:
    """The constants that one section loads."""

    def __init__(self, section):
        self.section = section
        self.words = []     # (bytes, [symbol, addend] or None)
        self.places = {}    # (section, offset) of a constant -> its index here
        self.loads = []     # (relocation of an l32r, index)

    def length(self, file):
        """Rounded up so that what follows keeps its alignment."""
        align = max(4, file.sections[self.section][0][ALIGN])
        return -(-4 * len(self.words) // align) * align


class Object:
    def __init__(self, data):
        self.header = list(struct.unpack_from(HEADER, data))
        offset, count, names = self.header[6], self.header[12], self.header[13]
        self.sections = []
        for at in range(count):
            head = list(struct.unpack_from('<10I', data, offset + 40 * at))
            end = head[OFFSET] if head[TYPE] == NO_BITS else head[OFFSET] + head[SIZE]
            self.sections.append([head, bytearray(data[head[OFFSET]:end])])
        self.names = self.sections[names][1]
        kinds = [head[TYPE] for head, _ in self.sections]
        self.symbols = None
        if SYMBOL_TABLE not in kinds:
            return
        self.symbol_table = kinds.index(SYMBOL_TABLE)
        self.symbols = records('<IIIBBH', self.sections[self.symbol_table][1])
        # section -> (its relocations, the section that holds them)
        self.relocations = {head[INFO]: (records('<IIi', content), at)
                            for at, (head, content) in enumerate(self.sections)
                            if head[TYPE] == RELOCATIONS}

    def drop_bitcode(self):
        """`ar` refuses objects that have some inside."""
        for head, content in self.sections:
            name = bytes(self.names[head[NAME]:self.names.index(0, head[NAME])])
            if name in (b'.llvmbc', b'.llvmcmd'):
                head[NAME], content[:] = 0, b''

    def take_literals(self):
        addresses = {section: {r[0]: r for r in relocations if r[1] & 0xff == ADDRESS}
                     for section, (relocations, _) in self.relocations.items()}
        pools = []
        for section, (relocations, _) in self.relocations.items():
            head, content = self.sections[section]
            if not head[FLAGS] & EXECUTABLE:
                continue
            pool = Pool(section)
            for relocation in relocations:
                is_load = content[relocation[0]] & 0xf == 1
                symbol = self.symbols[relocation[1] >> 8]
                if relocation[1] & 0xff != OPERAND or not is_load or symbol[5] == 0:
                    continue
                place = (symbol[5], symbol[1] + relocation[2])
                if place not in pool.places:
                    source, at = place
                    address = addresses.get(source, {}).get(at)
                    pool.places[place] = len(pool.words)
                    pool.words.append((bytes(self.sections[source][1][at:at + 4]),
                                       address and address[1:3]))
                pool.loads.append((relocation, pool.places[place]))
            if pool.words:
                pools.append(pool)
        return pools

    def cut_moved(self, pools):
        """Removes the constants from where they were."""
        moved = {}
        for pool in pools:
            for section, at in pool.places:
                moved.setdefault(section, set()).add(at)
        for section, places in moved.items():
            if section in self.relocations:
                relocations = self.relocations[section][0]
                relocations[:] = [r for r in relocations
                                  if r[0] not in places or r[1] & 0xff != ADDRESS]
            content = self.sections[section][1]
            end = len(content)
            while True:
                # With up to three bytes of padding behind each.
                last = next((at for at in range(end - 4, end - 8, -1) if at in places), None)
                if last is None:
                    break
                end = last
            del content[end:]

    def insert(self, pools):
        section_symbols = self.name_sections(pools)
        shift = {pool.section: pool.length(self) for pool in pools}
        loads = {id(relocation) for pool in pools for relocation, _ in pool.loads}

        def moved(info, addend):
            """A place that is given by its section's beginning."""
            symbol = self.symbols[info >> 8]
            by_section = symbol[3] & 15 == SECTION_SYMBOL
            return addend + shift.get(symbol[5], 0) if by_section else addend

        for section, (relocations, _) in self.relocations.items():
            for relocation in relocations:
                if id(relocation) not in loads:
                    relocation[2] = moved(relocation[1], relocation[2])
                relocation[0] += shift.get(section, 0)
        for symbol in self.symbols:
            if symbol[3] & 15 != SECTION_SYMBOL:
                symbol[1] += shift.get(symbol[5], 0)
        for pool in pools:
            head, content = self.sections[pool.section]
            padding = shift[pool.section] - 4 * len(pool.words)
            content[:0] = bytes(padding) + b''.join(word for word, _ in pool.words)
            head[ALIGN] = max(4, head[ALIGN])
            relocations = self.relocations[pool.section][0]
            for at, (_, address) in enumerate(pool.words):
                if address:
                    relocations.append([padding + 4 * at, address[0], moved(*address)])
            for relocation, at in pool.loads:
                relocation[1] = section_symbols[pool.section] << 8 | OPERAND
                relocation[2] = padding + 4 * at
            relocations.sort(key=lambda relocation: relocation[0])

    def name_sections(self, pools):
        """A symbol for each section with a pool. New ones go before the first global symbol, and
        whoever names a symbol behind by its number has to follow."""
        named = {symbol[5]: at for at, symbol in enumerate(self.symbols)
                 if symbol[3] & 15 == SECTION_SYMBOL}
        missing = [pool.section for pool in pools if pool.section not in named]
        first = self.sections[self.symbol_table][0][INFO]
        more = len(missing) << 8
        following = [relocation for relocations, _ in self.relocations.values()
                     for relocation in relocations if relocation[1] >> 8 >= first]
        for relocation in following:
            relocation[1] += more
        for pool in pools:
            for _, address in pool.words:
                if address and address[0] >> 8 >= first:
                    address[0] += more
        for head, _ in self.sections:
            if head[TYPE] == GROUP and head[INFO] >= first:
                head[INFO] += len(missing)
        for at, section in enumerate(missing):
            self.symbols.insert(first + at, [0, 0, 0, SECTION_SYMBOL, 0, section])
            named[section] = first + at
        self.sections[self.symbol_table][0][INFO] = first + len(missing)
        return named

    def bytes(self):
        for relocations, at in self.relocations.values():
            self.sections[at][1] = pack('<IIi', relocations)
        self.sections[self.symbol_table][1] = pack('<IIIBBH', self.symbols)
        data = bytearray(struct.calcsize(HEADER))
        for head, content in self.sections:
            if head[TYPE] in (0, NO_BITS):
                continue
            data += bytes(-len(data) % max(head[ALIGN], 1))
            head[OFFSET], head[SIZE] = len(data), len(content)
            data += content
        data += bytes(-len(data) % 4)
        self.header[6] = len(data)
        for head, _ in self.sections:
            data += struct.pack('<10I', *head)
        struct.pack_into(HEADER, data, 0, *self.header)
        return bytes(data)


def records(shape, content):
    return [list(record) for record in struct.iter_unpack(shape, content)]


def pack(shape, rows):
    return bytearray(b''.join(struct.pack(shape, *row) for row in rows))
