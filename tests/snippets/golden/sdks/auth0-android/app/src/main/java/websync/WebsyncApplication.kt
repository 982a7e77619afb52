// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "app/src/main/java/websync/WebsyncApplication.kt". Where visitors log in, replace
//   WebAuthProvider.login(account).start(context, callback)
// by
//   WebAuthProvider.login(account).withParameters(websyncParameters(profileId, values)).start(context, callback)
package websync

import java.net.URLEncoder

// The parameters that carry BlueConic's values through the login. What is missing or too long is left out.
// Give it what BlueConic's mobile SDK tells you: the profile's id, and lists of values by the ids of their properties.
fun websyncParameters(profileId: String?, values: Map<String, List<String>> = emptyMap()): Map<String, String> {
    val parameters = mutableMapOf<String, String>()
    if (profileId != null && Regex("[A-Za-z0-9-]{1,64}").matches(profileId)) {
        parameters["ext-bc_profile_id"] = profileId
    }
    // Profile property and the login parameter that carries it.
    val names = listOf(
        "newsletter" to "ext-bcp_newsletter",
        "favouriteCategory" to "ext-bcp_favouritecategory_ucudav",
        "first_visit" to "ext-bcp_first_visit",
    )
    for ((property, parameter) in names) {
        encodeValues(values[property].orEmpty())?.let { parameters[parameter] = it }
    }
    return parameters
}

// Texts in the alphabet that Auth0 lets through ("~" for "%", "*" between texts); null if there is nothing to send.
private fun encodeValues(texts: List<String>): String? {
    val encoded = texts.filter { it.isNotEmpty() }.joinToString("*") { text ->
        URLEncoder.encode(text, "UTF-8").replace("+", "%20").replace("*", "%2A").replace("%", "~")
    }
    return encoded.takeIf { it.length in 1..255 }
}
