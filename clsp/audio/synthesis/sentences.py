"""What the synthetic speakers say: short neutral sentences in two phrases, so that a change can fall between them."""

PHRASES: tuple[tuple[str, str], ...] = tuple(
    (first.strip(), second.strip())
    for first, _, second in (
        line.partition("|")
        for line in """
        Good | morning.
        Come | in.
        Keep | walking.
        Maybe | today.
        Open | the window.
        Wait | for me.
        The soup | is warm.
        Turn left | here.
        My sister | paints doors.
        The lamp | is on.
        We sailed | at dawn.
        Put it | on the table.
        The garden | needs some rain.
        Bring the map | along.
        A small boat | crossed the lake.
        The clock in the hall | is slow.
        Our train | leaves at nine.
        She found | a blue umbrella.
        The baker opens | before sunrise.
        He folded | the letter twice.
        The museum is closed | on Monday.
        Seven geese flew | over the barn.
        I left the keys | under the mat.
        The kitchen smells | of fresh bread.
        They planted apple trees | by the road.
        The river bends | around the old mill.
        Please read the second page | once again.
        Our neighbour is learning | to play the flute.
        The last bus goes | up to the castle.
        A grey cat sleeps | on the warm wall.
        She counted forty steps | to the door.
        The market moves | indoors for the winter.
        We met in the library | after lunch.
        The painter mixed green | with a little yellow.
        Every summer we camp | beside the lake.
        The ferry to the island | takes an hour.
        He keeps his tools | in a wooden box.
        The new bridge will open | early next year.
        My brother writes about birds | for a magazine.
        The road to the village | was covered with leaves.
        The children built a tall tower | of wooden blocks.
        Before dinner she waters | the plants on the balcony.
        The tailor needs two more days | for the long coat.
        A light wind carried | the smell of salt from the sea.
        The farmer sells honey and eggs | at the corner shop.
        On clear nights you can see | the harbour lights from here.
        The old radio in the attic | still plays when you turn it on.
        The concert was moved | to the big hall behind the station.
        After the rain the whole valley | was filled with a thin white mist.
        The teacher asked us to bring pencils, | paper and a bottle of water.
        Near the end of the street there is | a shop that repairs old bicycles.
        Last autumn they walked along the coast | until they reached the lighthouse.
        In the morning the postman leaves | our letters in a box beside the gate.
        The first snow came late this year | and stayed on the hills until the spring.
        When the bell rang everyone put away | their books and went out into the yard.
        The orchestra rehearsed the slow movement again and again | until the conductor put down his baton.
        If you follow the canal for an hour you come to a small town | with a square and a painted clock tower.
        The librarian keeps the oldest maps in a dry room | at the end of the corridor on the upper floor.
        During the holidays we rented a cottage near the forest | and walked to the lake every single morning.
        The carpenter measured every board with care | before he cut the pieces for the long kitchen shelf.
        Between the two hills there is a quiet meadow | where the shepherd brings his sheep in early summer.
        At the far side of the lake a narrow path | leads up through the trees to a cabin.
        """.strip().splitlines()
    )
)
