// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "app/src/main/java/websync/WebsyncToken.kt". When a visitor has just logged in, call it with what the login gave:
//   syncWithWebsync(credentials, profileId)
package websync

import com.auth0.android.result.Credentials
import java.net.HttpURLConnection
import java.net.URL
import kotlin.concurrent.thread
import org.json.JSONObject

// Tells Websync of one login. It returns at once, and visitors do not see if it fails.
// The profile's id is what BlueConic's mobile SDK tells you.
fun syncWithWebsync(credentials: Credentials, profileId: String?) {
    val body = JSONObject().put("token", credentials.idToken).put("profileId", profileId)
    thread {
        try {
            val connection = URL("https://websync.example/sync/shop-goal/token").openConnection() as HttpURLConnection
            connection.requestMethod = "POST"
            connection.doOutput = true
            connection.connectTimeout = 10_000
            connection.readTimeout = 10_000
            connection.setRequestProperty("Content-Type", "application/json")
            connection.outputStream.use { it.write(body.toString().toByteArray()) }
            connection.responseCode // waits for the answer
            connection.disconnect()
        } catch (error: Exception) {
            // The login has worked, and that is what visitors came for.
        }
    }
}
